"""What an exchange is made with: markets, dexs, profiles, parameters, scripted faults."""
