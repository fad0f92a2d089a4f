"""The Architecture Covenant Graph: what hardware promises its compiler, and the language it is said in."""
