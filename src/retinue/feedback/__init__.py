"""Was it right? What people say of answers, what that says of versions, and which of them answers next."""
