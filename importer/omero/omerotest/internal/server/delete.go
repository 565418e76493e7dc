package server

import "slices"

// deletion is rows that are gone.
type deletion struct {
	Filesets    []int64 `json:"filesets,omitempty"`
	Images      []int64 `json:"images,omitempty"`
	Plates      []int64 `json:"plates,omitempty"`
	Annotations []int64 `json:"annotations,omitempty"`
	Links       []int64 `json:"links,omitempty"`
}

// drop removes rows. Their numbers are not given again.
func (t *table[T]) drop(ids []int64) {
	if len(ids) == 0 {
		return
	}
	t.rows = slices.DeleteFunc(t.rows, func(r T) bool { return slices.Contains(ids, r.number()) })
	clear(t.index)
	for at, r := range t.rows {
		t.index[r.number()] = at
	}
}

func (w *World) delete(d *deletion) {
	w.filesets.drop(d.Filesets)
	w.images.drop(d.Images)
	w.plates.drop(d.Plates)
	w.annotations.drop(d.Annotations)
	w.links.drop(d.Links)
}

// DeleteFileset deletes a fileset with its images and plates, the links of these, and
// the annotations that hang on nothing else (omero-py, plugins/delete.py; the server's
// delete keeps annotations that somebody else has too). It returns the files that the
// server removes.
func (tx *Tx) DeleteFileset(a Actor, id int64) (files []string, err error) {
	f, ok := tx.Fileset(id)
	if !ok || !tx.Sees(a, f.Details, true) {
		return nil, exception(Validation, "no such Fileset:%d", id)
	}
	if !tx.CanEdit(a, f.Details) {
		return nil, exception(SecurityViolation, "Deleting Fileset:%d not allowed", id)
	}
	d := deletion{Filesets: []int64{id}}
	for _, i := range tx.Images() {
		if i.Fileset != id {
			continue
		}
		d.Images = append(d.Images, i.ID)
		if i.Plate != 0 && !slices.Contains(d.Plates, i.Plate) {
			d.Plates = append(d.Plates, i.Plate)
		}
	}
	gone := func(l Link) bool {
		switch l.Type {
		case DatasetImageLink:
			return slices.Contains(d.Images, l.Child)
		case ScreenPlateLink:
			return slices.Contains(d.Plates, l.Child)
		case ImageAnnotationLink:
			return slices.Contains(d.Images, l.Parent)
		case PlateAnnotationLink:
			return slices.Contains(d.Plates, l.Parent)
		default:
			return false
		}
	}
	loose, kept := map[int64]bool{}, map[int64]bool{}
	for _, l := range tx.Links() {
		annotates := l.Type == ImageAnnotationLink || l.Type == PlateAnnotationLink
		switch {
		case gone(l):
			d.Links = append(d.Links, l.ID)
			loose[l.Child] = loose[l.Child] || annotates
		case annotates:
			kept[l.Child] = true
		}
	}
	for _, n := range tx.Annotations() {
		if loose[n.ID] && !kept[n.ID] {
			d.Annotations = append(d.Annotations, n.ID)
		}
	}
	tx.delete(&d)
	tx.change.Deletions = append(tx.change.Deletions, d)
	return f.Files, nil
}
