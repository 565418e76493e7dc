package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// keyValues are libpq's key=value words.
var keyValues = regexp.MustCompile(`^\s*(?:[a-z_]+\s*=\s*(?:'(?:\\.|[^'\\])*'|(?:\\.|[^\s'\\])*)(?:\s+|$))+$`)

// database takes the address apart by hand: the standard parser knows neither
// several hosts nor SQLAlchemy's drivers, and quotes passwords in its errors.
func (f *file) database(src *source, c *Config) error {
	const key = "ingest_tracking_db"
	c.Database.Migrate = f.migrate
	address := strings.TrimSpace(string(f.IngestTrackingDB))
	scheme, rest, isURL := strings.Cut(address, "://")
	switch {
	case address == embedded:
		c.Database.Embedded = true
	case isURL && !strings.ContainsAny(scheme, " =@'\""):
		scheme, _, _ = strings.Cut(scheme, "+")
		if scheme != "postgresql" && scheme != "postgres" {
			return src.bad(key, "has the scheme %s: give a postgresql:// address, or embedded", quote(scheme))
		}
		if wrong := addressFault(rest); wrong != "" {
			return src.bad(key, "%s", wrong)
		}
		c.Database.URL = Secret(scheme + "://" + rest)
	case keyValues.MatchString(address):
		c.Database.URL = Secret(address)
	default:
		return src.bad(key, "is no PostgreSQL address: give postgresql://user:password@host/database, or embedded")
	}
	return nil
}

// addressFault says what is wrong with what follows the scheme, without
// quoting any of it that could be a password.
func addressFault(rest string) string {
	if strings.ContainsAny(rest, " \t\r\n\x00") {
		return "has a space in it: write one in the password as %20"
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, name, _ := strings.Cut(rest, "/")
	if strings.Count(authority, "@") > 1 {
		return "has more than one @ before the host: write an @ in the password as %40"
	}
	if strings.Contains(name, "@") {
		return "has an @ behind a /: write a / in the password as %2F, and an @ in the database's name as %40"
	}
	user, hosts, hasUser := strings.Cut(authority, "@")
	if !hasUser {
		user, hosts = "", authority
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !hostValid(host) {
			return "has a host or port that is none: give host or host:port, and write a : in the password as %3A"
		}
	}
	for _, part := range []string{user, name} {
		if _, err := url.PathUnescape(part); err != nil {
			return "has a % that two hexadecimal digits do not follow: write a % in the password as %25"
		}
	}
	if _, err := url.ParseQuery(query); err != nil {
		return "has options behind its ? that are none: give key=value, joined by &"
	}
	return ""
}

func hostValid(host string) bool {
	if inner, after, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok && strings.HasPrefix(host, "[") {
		return inner != "" && (after == "" || after[0] == ':' && portValid(after[1:]))
	}
	name, number, hasPort := strings.Cut(host, ":")
	if strings.ContainsAny(name, "[]") {
		return false
	}
	return !hasPort || portValid(number)
}

func portValid(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}
