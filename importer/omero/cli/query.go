package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxIDs is how many ids one query names: all of a query is one argument, which Linux
// bounds to 128 KiB.
const maxIDs = 5000

// null is how the command line writes a value that there is none of.
const null = "None"

// literal is a text in HQL. The command line knows no parameters.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// query asks for rows of so many columns.
func (s *Session) query(ctx context.Context, doing, hql string, columns int) ([][]string, error) {
	args := append([]string{"-q", "hql"}, s.cli.server()...)
	args = append(args, "-k", s.key, "--limit=-1", "--style", "json", hql)
	stdout, _, err := s.cli.run(ctx, call{dir: s.dir, args: args})
	if err != nil {
		return nil, classed(doing, err)
	}
	rows, err := decodeRows(stdout, columns)
	if err != nil {
		return nil, fmt.Errorf("%s: understanding what OMERO answered: %w", doing, err)
	}
	return rows, nil
}

// decodeRows reads what `omero hql --style json` writes: a list of objects whose columns
// are texts named Col1, Col2 and so on.
func decodeRows(stdout string, columns int) ([][]string, error) {
	_, text, ok := strings.Cut("\n"+stdout, "\n[")
	if !ok {
		return nil, errors.New("there is no list")
	}
	var objects []map[string]string
	if err := json.Unmarshal([]byte("["+text), &objects); err != nil {
		return nil, err
	}
	rows := make([][]string, len(objects))
	for i, object := range objects {
		for n := range columns {
			value, ok := object["Col"+strconv.Itoa(n+1)]
			if !ok {
				return nil, fmt.Errorf("row %d has no column %d", i+1, n+1)
			}
			rows[i] = append(rows[i], value)
		}
	}
	return rows, nil
}

// idRow reads the ids in the first columns of a row.
func idRow(row []string, n int) ([]int64, error) {
	ids := make([]int64, n)
	for i := range ids {
		var err error
		if ids[i], err = strconv.ParseInt(row[i], 10, 64); err != nil {
			return nil, fmt.Errorf("column %d is no id: %w", i+1, err)
		}
	}
	return ids, nil
}

// idList writes ids as HQL's in wants them.
func idList(ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	return b.String()
}
