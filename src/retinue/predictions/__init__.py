"""Asking the eye: one road for every prediction, paid once, remembered, and looked at again."""
