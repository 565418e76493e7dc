package config

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shortestToken keeps a token from being guessed, or found by trial from a session.
const shortestToken = 16

var (
	tokenSigns = regexp.MustCompile(`^[!-~]*$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

// web checks where the status page is, and who may see it.
func (f *file) web(src *source, c *Config) error {
	if f.Web.URL != "" {
		if !isWebAddress(f.Web.URL) || strings.Contains(f.Web.URL, "?") {
			return src.bad("web.url", "is %s: give an address such as https://importer.example.org/", quote(f.Web.URL))
		}
		c.Web.URL = strings.TrimSuffix(f.Web.URL, "/") + "/"
	}
	if err := f.webAuth(src, c); err != nil || c.Web.Listen == "" {
		return err
	}
	host, number, err := net.SplitHostPort(c.Web.Listen)
	if err == nil {
		_, err = strconv.ParseUint(number, 10, 16)
	}
	if err != nil {
		return src.bad("web.listen", "is %s: give an address and a port such as 127.0.0.1:8080, or \"\" for no page", quote(c.Web.Listen))
	}
	ip, err := netip.ParseAddr(host)
	if local := host == "localhost" || err == nil && ip.Unmap().IsLoopback(); !local && !c.Web.Auth.Any() {
		c.Warnings = append(c.Warnings, "web.listen is "+c.Web.Listen+" and web.auth names nobody: other machines may ask for nothing but /healthz, /readyz and /metrics")
	}
	return nil
}

func (f *file) webAuth(src *source, c *Config) error {
	a := f.Web.Auth
	for _, token := range []struct {
		key  string
		text Secret
	}{{"web.auth.viewer_token", a.ViewerToken}, {"web.auth.operator_token", a.OperatorToken}} {
		if text := string(token.text); text != "" && (len(text) < shortestToken || !tokenSigns.MatchString(text)) {
			return src.bad(token.key, "has to be at least %d letters, digits and signs without spaces: make one with `openssl rand -hex 32`", shortestToken)
		}
	}
	if a.ViewerToken != "" && a.ViewerToken == a.OperatorToken {
		return src.bad("web.auth.viewer_token", "is that of operators too: make another")
	}
	c.Web.Auth = WebAuth{
		ViewerToken: a.ViewerToken, OperatorToken: a.OperatorToken, Proxy: WebProxy{UserHeader: a.Proxy.UserHeader, Operators: a.Proxy.Operators},
	}
	for i, text := range a.Proxy.From {
		network, err := netip.ParsePrefix(text)
		if addr, wrong := netip.ParseAddr(text); err != nil && wrong == nil && addr.Zone() == "" {
			network, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || network.Addr().Is4In6() {
			return src.bad("web.auth.proxy.from["+strconv.Itoa(i)+"]", "is %s: give the proxy's address or network such as 10.0.0.2 or 10.0.0.0/24", quote(text))
		}
		c.Web.Auth.Proxy.From = append(c.Web.Auth.Proxy.From, network.Masked())
	}
	if !headerName.MatchString(a.Proxy.UserHeader) {
		return src.bad("web.auth.proxy.user_header", "is %s: give a header's name such as X-Forwarded-User", quote(a.Proxy.UserHeader))
	}
	if i := slices.IndexFunc(a.Proxy.Operators, func(name string) bool { return strings.TrimSpace(name) != name || name == "" }); i >= 0 {
		return src.bad("web.auth.proxy.operators["+strconv.Itoa(i)+"]", "is %s: give a user's name as the proxy sends it", quote(a.Proxy.Operators[i]))
	}
	if len(a.Proxy.Operators) > 0 && len(a.Proxy.From) == 0 {
		return src.bad("web.auth.proxy.operators", "needs web.auth.proxy.from: the addresses of the proxy that names them")
	}
	return nil
}
