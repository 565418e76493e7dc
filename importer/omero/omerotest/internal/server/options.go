package server

import "time"

// Options are how the server and its clients behave.
type Options struct {
	// PythonStart is what every process of the command line takes to start, and
	// JVMStart what an import takes besides.
	PythonStart time.Duration `json:"python_start,omitempty"`
	JVMStart    time.Duration `json:"jvm_start,omitempty"`
	// FilesetTime is what the import of one fileset takes.
	FilesetTime time.Duration `json:"fileset_time,omitempty"`
	// WebLatency is what every request to OMERO.web takes.
	WebLatency time.Duration `json:"web_latency,omitempty"`
	// IdleTimeout ends sessions that asked for nothing else.
	IdleTimeout time.Duration `json:"idle_timeout"`
	// RefuseRoot has the command line refuse to run as uid 0, as it really does.
	RefuseRoot bool `json:"refuse_root,omitempty"`
	// PlainPort says that port 4063 is reachable, so that imports do without
	// "--encrypted true".
	PlainPort bool `json:"plain_port,omitempty"`
	// PixelBuffer says that the server can read Zarr.
	PixelBuffer bool `json:"pixel_buffer,omitempty"`
	// NoTerminal ends a login with a wrong password as omero-py does where it
	// cannot ask again: with exit 52 in place of the contract's 12.
	NoTerminal bool `json:"no_terminal,omitempty"`
	// Repository is the folder of the managed repository as the server has it, and
	// RepositoryUUID what is written into it.
	Repository     string `json:"repository,omitempty"`
	RepositoryUUID string `json:"repository_uuid,omitempty"`
}

// MaxIdle is the longest idle timeout that a user may ask for: the server's
// default of omero.sessions.max_user_time_to_idle.
const MaxIdle = 6000 * time.Second

// DefaultOptions are those of a new server.
func DefaultOptions() Options {
	return Options{IdleTimeout: 10 * time.Minute, PixelBuffer: true}
}
