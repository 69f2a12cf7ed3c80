"""The DNS responder: packets in, packets out, from the table in force."""
