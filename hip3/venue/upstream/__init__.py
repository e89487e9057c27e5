"""The real exchange as a mirror knows it: somebody to listen to. Nothing in here can act there: an import contract
keeps signing, nonces and orders out, and what can be said is what `words` can spell."""
