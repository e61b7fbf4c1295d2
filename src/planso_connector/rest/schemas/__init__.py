"""Request and response models, errors and examples of the OpenAPI document."""
