"""Files in and out: tables, ratings and models, each checked before it is used."""
