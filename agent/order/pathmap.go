package order

import "strings"

// MapPath replaces the longest of the prefixes that path begins with by what
// m holds for it. Prefixes end at a component's end and match in any case,
// since other systems name a share otherwise than we do. A path without any
// slash but with backslashes comes from Windows, and is turned first.
func MapPath(path string, m map[string]string) string {
	path = slashed(path)
	best, target := -1, ""
	for prefix, to := range m {
		prefix = strings.TrimRight(slashed(prefix), "/")
		if n := len(prefix); n > best && len(path) >= n && strings.EqualFold(path[:n], prefix) &&
			(len(path) == n || path[n] == '/') && (n > 0 || path != "") {
			best, target = n, to
		}
	}
	if best < 0 {
		return path
	}
	return strings.TrimRight(target, "/") + path[best:]
}

func slashed(p string) string {
	if strings.Contains(p, "/") {
		return p
	}
	return strings.ReplaceAll(p, `\`, "/")
}
