"""What an exchange is made with: markets, dexs, profiles, parameters, scripted faults.

Read once at the start and never changed, so safe in any thread. A field that nobody knows is an error: a slip in a
file does not go unnoticed. The lists and tables of a file replace those that are built in, they are not merged.
"""
