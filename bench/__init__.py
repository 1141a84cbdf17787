"""How fast the house is, each figure beside the plain limit of the same minute on the same machine."""
