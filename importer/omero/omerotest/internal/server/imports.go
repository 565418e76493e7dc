package server

// Target is what an import puts its images or plates into; none if Type is "".
type Target struct {
	Type string
	ID   int64
}

// CreateFileset records a fileset whose files are yet to come. The server does
// that before the client transfers anything, so a client that dies later
// leaves it there.
func (tx *Tx) CreateFileset(a Actor, prefix string, clientPaths, files []string) Fileset {
	return tx.putFileset(Fileset{
		TemplatePrefix: prefix, ClientPaths: clientPaths, Files: files, Details: a.details(),
	})
}

// Product is what the files of a fileset turn out to hold.
type Product struct {
	Images []string // the names of the images that are in no plate
	Plates []PlateProduct
}

// PlateProduct is a plate, and the names of the images in its wells.
type PlateProduct struct {
	Name   string
	Images []string
}

// ImportFileset makes the images and plates of a fileset, and puts them where
// they fit: images that are in no plate into a Dataset, plates into a Screen.
// Others are linked to nothing.
func (tx *Tx) ImportFileset(a Actor, fileset int64, what Product, description string, target Target) ([]Image, []Plate) {
	var images []Image
	for _, name := range what.Images {
		image := tx.putImage(Image{Name: name, Description: description, Fileset: fileset, Details: a.details()})
		images = append(images, image)
		if target.Type == Dataset {
			tx.putLink(Link{Type: DatasetImageLink, Parent: target.ID, Child: image.ID, Details: a.details()})
		}
	}
	var plates []Plate
	for _, p := range what.Plates {
		plate := tx.putPlate(Plate{Name: p.Name, Description: description, Fileset: fileset, Details: a.details()})
		plates = append(plates, plate)
		for _, name := range p.Images {
			images = append(images, tx.putImage(Image{
				Name: name, Fileset: fileset, Plate: plate.ID, Details: a.details(),
			}))
		}
		if target.Type == Screen {
			tx.putLink(Link{Type: ScreenPlateLink, Parent: target.ID, Child: plate.ID, Details: a.details()})
		}
	}
	return images, plates
}

// Register makes an image of a Zarr that stays where it is.
func (tx *Tx) Register(a Actor, name, uri string) Image {
	return tx.putImage(Image{Name: name, URI: uri, Details: a.details()})
}

// FindTarget is the container that an import asks for by its number. One that is
// not in the session's group is not there.
func (w *World) FindTarget(a Actor, kind string, id int64) (Container, error) {
	c, ok := w.Container(kind, id)
	if !ok || !w.Sees(a, c.Details, false) {
		return Container{}, exception(Validation, "The requested object (ome.model.containers.%s,%d) is not available.\n"+
			"Please use IQuery.find to return null values.", kind, id)
	}
	return c, nil
}
