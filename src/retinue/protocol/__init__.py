"""The Open Inference Protocol: the house as one of its servers, and as a client of others."""
