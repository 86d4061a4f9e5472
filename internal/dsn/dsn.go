// Package dsn knows the names of databases as data sources, and the passwords that must not be in them.
package dsn

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// IsPostgres reports the forms in which a PostgreSQL database is named: a URL, service=NAME, or other connection keywords.
func IsPostgres(source string) bool {
	return strings.HasPrefix(source, "postgres://") || strings.HasPrefix(source, "postgresql://") || keywordForm.MatchString(source)
}

var (
	keywordForm    = regexp.MustCompile(`^\s*(service|host|hostaddr|port|dbname|user|password|sslmode|passfile|servicefile)\s*=`)
	secretKeywords = regexp.MustCompile(`(?i)\b((?:ssl)?password)(\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s&]*)`)
	urlSecret      = regexp.MustCompile(`^(\w+://[^/?#@:]*):(.*)@`) // also where the password should have been escaped
	onlyPort       = regexp.MustCompile(`^\d{1,5}(/[^@?#]*)?\?`)
)

// HasSecret reports a password inside the name of a source.
func HasSecret(source string) bool {
	if !IsPostgres(source) && !strings.Contains(source, "://") {
		return false
	}
	if m := urlSecret.FindStringSubmatch(source); m != nil && m[2] != "" && !onlyPort.MatchString(m[2]) {
		return true
	}
	if u, err := url.Parse(source); err == nil {
		for k, v := range u.Query() {
			if k = strings.ToLower(k); strings.HasSuffix(k, "password") && slices.ContainsFunc(v, func(s string) bool { return s != "" }) {
				return true
			}
		}
	}
	for _, m := range secretKeywords.FindAllStringSubmatch(source, -1) {
		if strings.Trim(m[3], "'") != "" {
			return true
		}
	}
	return false
}

// Public is the name of a source as messages may show it.
func Public(source string) string {
	if !IsPostgres(source) && !strings.Contains(source, "://") {
		return source
	}
	if m := urlSecret.FindStringSubmatchIndex(source); m != nil && !onlyPort.MatchString(source[m[4]:m[5]]) {
		source = source[:m[3]] + source[m[5]:]
	}
	if u, err := url.Parse(source); err == nil && u.RawQuery != "" {
		q := u.Query()
		for k := range q {
			if strings.HasSuffix(strings.ToLower(k), "password") {
				q.Del(k)
				u.RawQuery = q.Encode()
				source = u.String()
			}
		}
	}
	return secretKeywords.ReplaceAllString(source, "$1$2***")
}

// Blank takes what looks like a password setting out of a message.
func Blank(s string) string { return secretKeywords.ReplaceAllString(s, "$1$2***") }
