"""What is done to requests for approval, and who may do what with one."""
