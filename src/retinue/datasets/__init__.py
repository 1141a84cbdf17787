"""Collections of pictures and videos with their masks: taken in, paid for, shown, given out again."""
