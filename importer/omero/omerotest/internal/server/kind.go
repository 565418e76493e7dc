package server

import "slices"

// What can go wrong with the command line. Where a kind may strike stands
// behind it.
const (
	Refused     Kind = "refused"      // the connection is refused: everywhere
	NoSuchHost  Kind = "no such host" // everywhere
	Violation   Kind = "violation"    // a security violation: login
	OtherLogin  Kind = "other login"  // a failure of another kind: login
	Lost        Kind = "lost"         // Ice.ConnectionLostException: everywhere
	TimedOut    Kind = "timed out"    // Ice.TimeoutException: everywhere
	SessionGone Kind = "session gone" // Ice.ObjectNotExistException, and the session is closed: everywhere
	Hang        Kind = "hang"         // stands still for Delay, or for good: everywhere
	Crash       Kind = "crash"        // the process kills itself: everywhere
	NoOutput    Kind = "no output"    // exit 0 and nothing on standard output: import, hql, obj
	Garbage     Kind = "garbage"      // output that nobody can read: import, hql
	Truncated   Kind = "truncated"    // output that ends in the middle: import, hql
)

// What can go wrong with an import in particular. In the order of their places:
// the server records the fileset, the client links the files, the server makes
// the images, the client prints.
const (
	Cleanup          Kind = "cleanup"            // exit 3 after all was imported
	JavaKilled       Kind = "java killed"        // and Python is left to tell: exit 247
	NoAccess         Kind = "no access"          // the repository cannot be seen by the client
	NoSize           Kind = "no size"            // the data cannot be read by the server
	DiskFull         Kind = "disk full"          // of the repository
	CrashBeforeLink  Kind = "crash before link"  // a fileset without files or images
	CrashAfterLink   Kind = "crash after link"   // a fileset with files, without images
	ServerGoesOn     Kind = "server goes on"     // as CrashAfterLink, and the server makes the images after Delay
	CrashBeforePrint Kind = "crash before print" // all done, and nobody knows
	CrashAfterPrint  Kind = "crash after print"
	LostBeforePrint  Kind = "lost before print" // as Lost, but the fileset was imported
)

// What can go wrong with OMERO.web.
const (
	Error500      Kind = "500" // with an HTML page
	BadGateway    Kind = "502"
	TooMany       Kind = "429"            // with Retry-After: Delay
	ToLogin       Kind = "to login"       // a redirect to the login page
	Slow          Kind = "slow"           // answers after Delay
	Cut           Kind = "cut"            // the connection ends within the answer, and nothing was done
	CutAfter      Kind = "cut after"      // as Cut, but what was asked for was done
	TruncatedJSON Kind = "truncated json" // the answer ends in the middle
)

// everyCommand are the kinds that every command knows.
var everyCommand = []Kind{Refused, NoSuchHost, Lost, TimedOut, SessionGone, Hang, Crash}

// kindsOf are the kinds that an operation knows.
var kindsOf = map[Op][]Kind{
	AtLogin: append([]Kind{Violation, OtherLogin}, everyCommand...),
	AtImport: append([]Kind{
		NoOutput, Garbage, Truncated, Cleanup, JavaKilled, NoAccess, NoSize, DiskFull,
		CrashBeforeLink, CrashAfterLink, ServerGoesOn, CrashBeforePrint, CrashAfterPrint, LostBeforePrint,
	}, everyCommand...),
	AtHQL:    append([]Kind{NoOutput, Garbage, Truncated}, everyCommand...),
	AtObj:    append([]Kind{NoOutput}, everyCommand...),
	AtZarr:   append([]Kind{NoOutput}, everyCommand...),
	AtLogout: everyCommand,
	AtWeb:    {Error500, BadGateway, TooMany, ToLogin, Slow, Hang, Cut, CutAfter, TruncatedJSON},
}

// Known reports whether there is such a fault.
func (f Fault) Known() bool {
	atStart := f.At == AtImport && (f.Kind == NoSuchHost || f.Kind == NoOutput)
	return slices.Contains(kindsOf[f.At], f.Kind) && (f.After == 0 || !atStart)
}
