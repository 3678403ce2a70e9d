"""The whole stack on this machine: moto's server keeps the state, and what moto lacks stands before or beside it."""
