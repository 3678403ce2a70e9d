"""From the bundled template to a stack in an account."""
