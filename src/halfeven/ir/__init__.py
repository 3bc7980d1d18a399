"""Program: the one integer form that every backend executes. Every number that decides an answer is visible in it."""
