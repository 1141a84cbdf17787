"""How the models that this project trains itself came to be. Nothing here is needed at run time."""
