package omerotest

import "biomero-importer/importer/omero/omerotest/internal/server"

// What is on a server; see the fields for what tests may look at.
type (
	State      = server.State
	User       = server.User
	Group      = server.Group
	Member     = server.Member
	Container  = server.Container
	Fileset    = server.Fileset
	Image      = server.Image
	Plate      = server.Plate
	Annotation = server.Annotation
	Link       = server.Link
	Session    = server.Session
	Call       = server.Call
	Request    = server.Request
	Details    = server.Details
)

// Options are how the server and its clients behave.
type Options = server.Options

// Permissions of a group.
const (
	Private      = server.Private
	ReadOnly     = server.ReadOnly
	ReadAnnotate = server.ReadAnnotate
	ReadWrite    = server.ReadWrite
)

// Running is the exit status of a call that has not ended, or was killed.
const Running = server.Running

// A Fault is something that goes wrong; Op is where, and FaultKind what.
type (
	Fault     = server.Fault
	Op        = server.Op
	FaultKind = server.Kind
)

// Where a fault strikes.
const (
	AtLogin  = server.AtLogin
	AtImport = server.AtImport
	AtHQL    = server.AtHQL
	AtObj    = server.AtObj
	AtZarr   = server.AtZarr
	AtLogout = server.AtLogout
	AtWeb    = server.AtWeb
)

// What goes wrong with the command line.
const (
	Refused     = server.Refused
	NoSuchHost  = server.NoSuchHost
	Violation   = server.Violation
	OtherLogin  = server.OtherLogin
	Lost        = server.Lost
	TimedOut    = server.TimedOut
	SessionGone = server.SessionGone
	Hang        = server.Hang
	Crash       = server.Crash
	NoOutput    = server.NoOutput
	Garbage     = server.Garbage
	Truncated   = server.Truncated
)

// What goes wrong with an import in particular.
const (
	Cleanup          = server.Cleanup
	JavaKilled       = server.JavaKilled
	NoAccess         = server.NoAccess
	NoSize           = server.NoSize
	DiskFull         = server.DiskFull
	CrashBeforeLink  = server.CrashBeforeLink
	CrashAfterLink   = server.CrashAfterLink
	ServerGoesOn     = server.ServerGoesOn
	CrashBeforePrint = server.CrashBeforePrint
	CrashAfterPrint  = server.CrashAfterPrint
	LostBeforePrint  = server.LostBeforePrint
)

// What goes wrong with OMERO.web.
const (
	Error500      = server.Error500
	BadGateway    = server.BadGateway
	TooMany       = server.TooMany
	ToLogin       = server.ToLogin
	Slow          = server.Slow
	Cut           = server.Cut
	CutAfter      = server.CutAfter
	TruncatedJSON = server.TruncatedJSON
)
