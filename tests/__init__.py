from pydantic import BaseModel

# As in `planso_connector.__main__`: a connector builds only those models that it uses, which takes a tenth of a start.
BaseModel.model_config["defer_build"] = True
