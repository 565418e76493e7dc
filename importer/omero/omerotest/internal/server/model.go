package server

import "time"

// Permissions of a group, as OMERO writes them.
const (
	Private      = "rw----"
	ReadOnly     = "rwr---"
	ReadAnnotate = "rwra--"
	ReadWrite    = "rwrw--"
)

// Ids that every OMERO has from the start.
const (
	RootID      int64 = 0
	SystemGroup int64 = 0
	UserGroup   int64 = 1
)

// The types of containers, as OMERO names them.
const (
	Project = "Project"
	Dataset = "Dataset"
	Screen  = "Screen"
)

// The types of links, as OMERO names them.
const (
	ProjectDatasetLink  = "ProjectDatasetLink"
	DatasetImageLink    = "DatasetImageLink"
	ScreenPlateLink     = "ScreenPlateLink"
	ImageAnnotationLink = "ImageAnnotationLink"
	PlateAnnotationLink = "PlateAnnotationLink"
)

// User is an experimenter.
type User struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Password  string `json:"password"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Admin     bool   `json:"admin,omitempty"`
	Sudo      bool   `json:"sudo,omitempty"` // the privilege; only of use to admins
}

// Group is an experimenter group.
type Group struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Permissions string `json:"permissions"`
}

// Member says that a user is in a group.
type Member struct {
	ID     int64 `json:"id"`
	User   int64 `json:"user"`
	Group  int64 `json:"group"`
	Leader bool  `json:"leader,omitempty"`
}

// Details are who owns an object, and in which group.
type Details struct {
	Owner int64 `json:"owner"`
	Group int64 `json:"group"`
}

// Container is a Project, Dataset or Screen.
type Container struct {
	ID          int64  `json:"id"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Details
	Projects []int64 `json:"-"` // of a Dataset; filled in by State
}

// Fileset is what OMERO took in as one. It is there before its files are, and
// before its images are; see doc.go of package omerotest.
type Fileset struct {
	ID             int64    `json:"id"`
	TemplatePrefix string   `json:"template_prefix"`
	ClientPaths    []string `json:"client_paths"`
	// Files are the paths of the links or copies, below the repository.
	Files []string `json:"files"`
	Details
}

// Image is an image, in a well of a plate or not.
type Image struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Fileset     int64  `json:"fileset,omitempty"` // 0 for a registered Zarr
	Plate       int64  `json:"plate,omitempty"`
	URI         string `json:"uri,omitempty"` // of a registered Zarr
	Details
	Datasets []int64 `json:"-"` // filled in by State
}

// Plate is a plate; its wells are those of its images.
type Plate struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Fileset     int64  `json:"fileset"`
	Details
	Screens []int64 `json:"-"` // filled in by State
}

// Annotation is a map annotation. Pairs keep their order, and keys may repeat.
type Annotation struct {
	ID          int64       `json:"id"`
	NS          string      `json:"ns"`
	Description string      `json:"description,omitempty"`
	Pairs       [][2]string `json:"pairs"`
	Details
	Images []int64 `json:"-"` // annotated with it; filled in by State
	Plates []int64 `json:"-"` // annotated with it; filled in by State
}

// Link links two objects; Type is as OMERO names it.
type Link struct {
	ID     int64  `json:"id"`
	Type   string `json:"type"`
	Parent int64  `json:"parent"`
	Child  int64  `json:"child"`
	Details
}

// Session is a session of a user, in a group.
type Session struct {
	ID       int64         `json:"id"`
	UUID     string        `json:"uuid"`
	User     int64         `json:"user"`
	Group    int64         `json:"group"`
	By       string        `json:"by,omitempty"` // the account that opened it with sudo
	Idle     time.Duration `json:"idle"`
	Started  time.Time     `json:"started"`
	LastUsed time.Time     `json:"last_used"`
	Closed   bool          `json:"closed,omitempty"` // by a logout, by the server, or because it was idle
}

// Running is the exit status of a process that has not ended, or was killed.
const Running = -1

// Call is one process of the command line.
type Call struct {
	ID   int64    `json:"id"`
	Argv []string `json:"argv"` // without the program
	Env  []string `json:"env"`  // names of the variables that were set, sorted
	Dir  string   `json:"dir"`
	Exit int      `json:"exit"` // Running until it is known
}

// Request is one request to OMERO.web.
type Request struct {
	ID     int64  `json:"id"`
	Method string `json:"method"`
	Path   string `json:"path"` // with its query
	Status int    `json:"status"`
}
