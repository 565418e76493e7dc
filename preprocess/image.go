package preprocess

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// ImageName is the full name of an image that an order names: one without a registry is
// Docker Hub's, one without a tag or digest is the latest. An *Error says what is wrong
// with it.
func ImageName(written string) (string, error) {
	named, err := reference.ParseNormalizedNamed(written)
	if err != nil {
		return "", &Error{Reason: fmt.Sprintf("%q is not the name of a container image: write it like registry/name:tag.", written), Err: err}
	}
	return reference.TagNameOnly(named).String(), nil
}

// Allowlist says which images may run. An empty one allows all.
type Allowlist struct {
	written  []string
	patterns []*regexp.Regexp
}

// NewAllowlist checks patterns. In one, "*" stands for any characters but "/" and "@", and
// "**" for any, even alone; one without a tag or digest means all of them. One with a tag
// means no digest, not even after the tag: it would decide what runs. Like the names of
// images, any other pattern without a registry means Docker Hub.
func NewAllowlist(patterns []string) (Allowlist, error) {
	list := Allowlist{written: patterns}
	for _, pattern := range patterns {
		if pattern == "**" {
			return Allowlist{}, nil
		}
		// What is no name with ordinary letters for the stars is none with others.
		full, err := reference.ParseNormalizedNamed(strings.NewReplacer("**", starred2, "*", starred).Replace(pattern))
		if err != nil {
			return Allowlist{}, fmt.Errorf("%q is not a pattern for container images: write it like registry/name:tag, with * for what varies: %w", pattern, err)
		}
		text := regexp.QuoteMeta(full.String())
		text = strings.NewReplacer(starred2, ".*", starred, "[^/@]*").Replace(text)
		if reference.IsNameOnly(full) {
			text += "([:@].*)?"
		}
		expression, err := regexp.Compile("^" + text + "$")
		if err != nil {
			return Allowlist{}, fmt.Errorf("the pattern %q for container images: %w", pattern, err)
		}
		list.patterns = append(list.patterns, expression)
	}
	return list, nil
}

// What stands for stars while a pattern is read as a name.
const (
	starred  = "xstarx"
	starred2 = "xxstarsxx"
)

// Check returns an *Error where the image of this full name may not run.
func (a Allowlist) Check(full string) error {
	for _, pattern := range a.patterns {
		if pattern.MatchString(full) {
			return nil
		}
	}
	if len(a.patterns) == 0 {
		return nil
	}
	return &Error{Reason: fmt.Sprintf("The container image %s may not run here: this site allows %s.", full, strings.Join(a.written, ", "))}
}
