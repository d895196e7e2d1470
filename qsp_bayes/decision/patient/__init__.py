"""One patient: what the own levels tell, and the next dose."""
