"""Applications: factors with the words of a domain, and answers with reasons."""
