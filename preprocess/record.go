package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// runRecord is run.json: which container the folders belong to.
type runRecord struct {
	Run       string `json:"run"`
	Request   string `json:"request"` // its fingerprint
	Share     string `json:"share"`
	Folder    string `json:"folder"` // of the input, below the share
	Processed string `json:"processed"`
	Partial   string `json:"partial"` // in Processed
}

// resultRecord is result.json: what becomes of the files.
type resultRecord struct {
	Request string    `json:"request"`
	Image   string    `json:"image"`
	Digest  string    `json:"digest"`
	Items   []outcome `json:"items"`
	Units   []unit    `json:"units"`
}

// outcome is an item before its files have their names for good.
type outcome struct {
	Name      string     `json:"name"`
	Unit      int        `json:"unit"`     // its file among the units, or -1
	Original  string     `json:"original"` // the path of what the converter passed on
	KeyValues []KeyValue `json:"key_values,omitempty"`
}

// unit is a file, or a folder that is one image, that is published.
type unit struct {
	From string `json:"from"` // in the partial folder
	To   string `json:"to"`   // in the processed folder
	Copy string `json:"copy"` // the path of the copy to import; may be empty
}

// result is what a record means.
func (r *resultRecord) result(processed, copies string) Result {
	result := Result{Image: r.Image, Digest: r.Digest}
	for _, item := range r.Items {
		made := Item{Name: item.Name, KeyValues: item.KeyValues, Published: item.Original, Import: item.Original}
		if item.Unit >= 0 {
			u := r.Units[item.Unit]
			made.Published, made.Import = filepath.Join(processed, u.To), u.Copy
			if u.Copy == "" {
				made.Import = made.Published
			}
		}
		if made.Name == "" {
			made.Name = filepath.Base(made.Published)
		}
		result.Items = append(result.Items, made)
	}
	for _, u := range r.Units {
		if u.Copy != "" {
			result.Moves = append(result.Moves, Move{From: u.Copy, To: filepath.Join(processed, u.To)})
		}
	}
	if len(result.Moves) > 0 {
		result.Moves = append(result.Moves, Move{From: copies})
	}
	return result
}

// fingerprint changes with everything that a container is started with.
func (r *Request) fingerprint() (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("reading the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// load reads a record; what is not there stays empty.
func load(dir *os.Root, name string, into any) error {
	text, err := dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Join(dir.Name(), name), err)
	}
	return nil
}

// save writes a record, complete or not at all.
func save(dir *os.Root, name string, record any) error {
	text, err := json.Marshal(record)
	if err == nil {
		err = write(dir, name+".new", text)
	}
	if err == nil {
		err = dir.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Join(dir.Name(), name), err)
	}
	syncFolder(dir, ".")
	return nil
}

func write(dir *os.Root, name string, text []byte) error {
	f, err := dir.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
