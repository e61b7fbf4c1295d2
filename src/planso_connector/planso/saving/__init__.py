"""Saving to PlanSo: the installation's style, how a save is encoded, what its answer means, how all that is learned."""
