package api

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// stages are the words of the parameter stage.
var stages = map[string]order.Stage{
	"pending": order.Pending, "started": order.Started, "preprocessing": order.Preprocessing, "completed": order.Completed, "failed": order.Failed,
}

// parameters are those of a query: none but these, and none twice but stage. Errors are
// Invalid.
func parameters(query string, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, order.Errorf(order.Invalid, "The query cannot be read: write %%20 for a space, and so on.")
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			return nil, order.Errorf(order.Invalid, "There is no parameter %.40q; there are %s.", name, strings.Join(known, ", "))
		}
		if len(given) > 1 && name != "stage" {
			return nil, order.Errorf(order.Invalid, "The parameter %s is there twice.", name)
		}
	}
	return values, nil
}

func filter(query string) (f tracking.Filter, err error) {
	values, err := parameters(query, "stage", "user", "group", "since", "text", "limit", "after")
	if err != nil {
		return f, err
	}
	f = tracking.Filter{User: values.Get("user"), Group: values.Get("group"), Text: values.Get("text"), After: values.Get("after"), Limit: usualPage}
	for _, word := range values["stage"] {
		stage, ok := stages[word]
		if !ok {
			return f, order.Errorf(order.Invalid, "The stage %.40q is none: give pending, started, preprocessing, completed or failed.", word)
		}
		f.Stages = append(f.Stages, stage)
	}
	if text := values.Get("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return f, order.Errorf(order.Invalid, "since is no time such as 2026-01-31T13:00:00Z.")
		}
	}
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > tracking.MaxPage {
			return f, order.Errorf(order.Invalid, "limit is a number from 1 to %d.", tracking.MaxPage)
		}
		f.Limit = n
	}
	return f, nil
}

// usualPage is how many orders a page holds where nothing is said.
const usualPage = 50
