"""Programs over data at rest: what a host tells a drive to do, in which order."""
