package message

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Bounds on a mail: what it lists, and the characters of a text in it.
const (
	maxListed = 50
	maxReason = 500
	maxName   = 100
)

// Mail is the subject and the text of a mail that tells a user of orders. Nothing that a
// client wrote is in the subject.
func Mail(events []Event) (subject, text string) {
	var done, wrong int
	for i := range events {
		if events[i].Stage == failed {
			wrong++
		} else {
			done++
		}
	}
	switch {
	case len(events) != 1:
		subject = fmt.Sprintf("OMERO imports: %d completed, %d failed", done, wrong)
	case wrong == 1:
		subject = "OMERO import failed"
	default:
		subject = "OMERO import completed: " + files(events[0].FilesImported)
	}
	// Failures are what somebody has to act on.
	listed := slices.Clone(events)
	slices.SortStableFunc(listed, func(a, b Event) int { return rank(a) - rank(b) })
	var b strings.Builder
	fmt.Fprintf(&b, "Orders completed: %d, failed: %d.\n", done, wrong)
	for i := range listed[:min(len(listed), maxListed)] {
		write(&b, &listed[i])
	}
	if more := len(listed) - maxListed; more > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", more)
	}
	return subject, b.String()
}

func rank(e Event) int {
	if e.Stage == failed {
		return 0
	}
	return 1
}

func files(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func write(b *strings.Builder, e *Event) {
	fmt.Fprintf(b, "\n%s: %s %s of %s, %s imported", e.Stage, Plain(e.DestinationType, maxName), Plain(e.DestinationID, maxName), Plain(e.Group, maxName), files(e.FilesImported))
	if e.FilesFailed > 0 {
		fmt.Fprintf(b, ", %d failed", e.FilesFailed)
	}
	fmt.Fprintf(b, ", %s\n", e.Ended.UTC().Format("2006-01-02 15:04 UTC"))
	if e.Reason != "" {
		fmt.Fprintf(b, "  %s\n", Plain(e.Reason, maxReason))
	}
	fmt.Fprintf(b, "  Order %s, attempt %d\n", Plain(e.UUID, maxName), e.Attempt)
	if e.URL != "" {
		fmt.Fprintf(b, "  %s\n", e.URL)
	}
}

// Plain makes a line of a text, without what terminals and mail programs act upon, of so many
// characters at most.
func Plain(text string, most int) string {
	n := 0
	for i := range text {
		if n++; n > most {
			text = text[:i] + "…"
			break
		}
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
