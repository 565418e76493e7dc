package access

// OwnPath is where a login leads to.
func OwnPath(path string) string { return ownPath(path) }
