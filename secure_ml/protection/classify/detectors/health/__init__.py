"""What is said of people's health, and the numbers of patients: one detector a file."""
