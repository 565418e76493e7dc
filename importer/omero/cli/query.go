package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func (s *Session) query(ctx context.Context, doing, hql string, columns int) (rows [][]string, err error) {
	err = s.each(ctx, doing, hql, columns, func(row []string) error {
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// each hands on the rows of an answer as they come: there may be millions. Those that came
// before an error are worth nothing.
func (s *Session) each(ctx context.Context, doing, hql string, columns int, use func(row []string) error) error {
	args := append([]string{"-q", "hql"}, s.cli.server()...)
	args = append(args, "-k", s.key, "--limit=-1", "--style", "json", hql)
	answer, stdout := io.Pipe()
	understood := make(chan error, 1)
	go func() {
		err := readRows(answer, columns, use)
		_, _ = io.Copy(io.Discard, answer) // the command must not wait
		understood <- err
	}()
	_, _, err := s.cli.run(ctx, call{dir: s.dir, args: args, stdout: stdout})
	_ = stdout.Close() // never fails
	malformed := <-understood
	if err != nil {
		return classed(doing, err)
	}
	if malformed != nil {
		return fmt.Errorf("%s: understanding what OMERO answered: %w", doing, malformed)
	}
	return nil
}

// readRows reads what `omero hql --style json` writes: a list of objects whose columns are
// texts named Col1, Col2 and so on. Other lines may stand before it.
func readRows(from io.Reader, columns int, use func(row []string) error) error {
	lines := bufio.NewReader(from)
	for {
		start, err := lines.Peek(1)
		if err != nil {
			return errors.New("there is no list")
		}
		if start[0] == '[' {
			break
		}
		if err := skipLine(lines); err != nil {
			return errors.New("there is no list")
		}
	}
	objects := json.NewDecoder(lines)
	if _, err := objects.Token(); err != nil {
		return err
	}
	for n := 1; objects.More(); n++ {
		var object map[string]string
		if err := objects.Decode(&object); err != nil {
			return err
		}
		row := make([]string, columns)
		for i := range row {
			value, ok := object["Col"+strconv.Itoa(i+1)]
			if !ok {
				return fmt.Errorf("row %d has no column %d", n, i+1)
			}
			row[i] = value
		}
		if err := use(row); err != nil {
			return err
		}
	}
	_, err := objects.Token() // an answer that is cut off has none
	return err
}

// skipLine reads to the end of a line, however long that is.
func skipLine(lines *bufio.Reader) error {
	for {
		_, err := lines.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
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
