package order_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"biomero-importer/agent/order"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	queued := time.Date(2024, 3, 5, 14, 30, 0, 0, time.FixedZone("CET", 3600))
	started := queued.Add(1500 * time.Millisecond)
	r := order.Receipt{
		UUID: "afe38fe0-ea2b-43e6-949d-364827c66230", Stage: order.Failed, Attempt: 2, Manifest: "scan.order.yml", Group: "Demo", User: "ada",
		DestinationType: "Dataset", DestinationID: "151", Description: "a < b", Reason: "b.tif is empty.", Queued: &queued, Started: &started,
		Files: []order.FileReceipt{
			{Path: "/data/Größe & <a>.tif", State: order.FileImported, Filesets: []int64{1}, Images: []int64{2, 3}, Plates: []int64{4}},
			{Path: "/data/b\xff.tif", State: order.FileFailed, Reason: "b.tif is empty."},
			{Path: "/data/c.tif", State: order.FilePending},
		},
	}
	data, err := r.Encode()
	require.NoError(t, err)
	require.Equal(t, read(t, "testdata/failed.receipt.json"), data, string(data))
	require.Equal(t, "CET", r.Queued.Location().String(), "the receipt itself is as before")
	back, err := order.DecodeReceipt(data)
	require.NoError(t, err)
	require.True(t, back.Queued.Equal(queued))
	back.Queued, back.Started = r.Queued, r.Started
	require.Equal(t, &r, back)
}

func TestReceiptWithoutFiles(t *testing.T) {
	t.Parallel()
	data, err := order.Receipt{}.Encode()
	require.NoError(t, err)
	require.Contains(t, string(data), `"files": []`)
	for _, text := range []string{"", "[]", `{"files": [{"path": 1}]}`} {
		_, err = order.DecodeReceipt([]byte(text))
		require.Equal(t, order.Invalid, order.ClassOf(err))
	}
}

func TestRejection(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a.order.yml.rejected.txt", order.RejectionName("a.order.yml"))
	require.Equal(t, "a.order.yml.receipt.json", order.ReceiptName("a.order.yml"))
	for reason, want := range map[string]string{
		`a.order.yml:3:1: The manifest has no key "is Expected x". Expected group or user.`: `The manifest has no key "is Expected x".

Where:    a.order.yml, line 3, column 1
Expected: group or user.
Correct the file and save it: that is enough to try again.
`,
		`a.order.yml: it waited 1h0m0s for its files in vain: "/data/a.tif" is not there.`: `a.order.yml: it waited 1h0m0s for its files in vain: "/data/a.tif" is not there.

Correct the file and save it: that is enough to try again.
`,
	} {
		require.Equal(t, want, string(order.Rejection(reason)))
	}
}
