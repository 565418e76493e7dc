package message

import (
	"encoding/json"
	"fmt"
	"time"
)

// Version is that of the JSON: it grows when a field goes or changes its meaning, and not
// when one is added.
const Version = 1

// Event is the end of an attempt at an order. Its texts are whatever a client wrote.
type Event struct {
	Version         int        `json:"version"`
	ID              string     `json:"id"`    // the same at each try to deliver it
	Stage           string     `json:"stage"` // Import Completed or Import Failed
	UUID            string     `json:"uuid"`  // of the order
	Attempt         int        `json:"attempt"`
	Group           string     `json:"group"`
	User            string     `json:"user"`
	DestinationType string     `json:"destination_type"`
	DestinationID   string     `json:"destination_id"`
	Reason          string     `json:"reason"` // of a failure
	FilesImported   int64      `json:"files_imported"`
	FilesFailed     int64      `json:"files_failed"`
	Queued          time.Time  `json:"queued"`
	Started         *time.Time `json:"started"` // nil for an order that was cancelled before
	Ended           time.Time  `json:"ended"`
	URL             string     `json:"url"` // of the order's page; empty where the site has none
}

const (
	completed = "Import Completed"
	failed    = "Import Failed"
)

// Sample is an event for trials. Its texts are as awkward as clients may write them, so that
// a template which does not put them into JSON as it should is found out.
func Sample(id string, now time.Time) Event {
	started := now.Add(-time.Minute)
	return Event{
		Version: Version, ID: id, Stage: failed, UUID: "00000000-0000-0000-0000-000000000000", Attempt: 1, Group: `A "sample" group`, User: `\ada`,
		DestinationType: "Dataset", DestinationID: `151"`, Reason: "This is a trial of the notifications, \"quoted\".\nNo order failed: {}, \\, <b>.",
		FilesImported: 2, FilesFailed: 1, Queued: now.Add(-time.Hour), Started: &started, Ended: now,
	}
}

// Body is the event as JSON.
func (e *Event) Body() ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing an event as JSON: %w", err)
	}
	return data, nil
}
