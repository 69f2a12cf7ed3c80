"""What is wrong between a program and a name, and what mends it: facts that are looked for, and pure checks of them."""
