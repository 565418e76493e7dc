package doctor

// State is how a check ended.
type State string

// The states. What is worth a look keeps nothing from working.
const (
	OK      State = "ok"
	Look    State = "look"
	Wrong   State = "wrong"
	Unknown State = "unknown" // it cannot be found out from here
)

// Finding is what became of one check.
type Finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"` // it is not wrong
	State  State  `json:"state"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"` // what to do; empty where nothing is

	// Err is why it is wrong.
	Err error `json:"-"`
}

// Well is a finding that nothing is to be done about.
func Well(name, detail string) Finding {
	return Finding{Name: name, OK: true, State: OK, Detail: detail}
}

// Of is Well where err is nil, and else wrong.
func Of(name, detail string, err error, fix string) Finding {
	if err == nil {
		return Well(name, detail)
	}
	return Finding{Name: name, State: Wrong, Detail: err.Error(), Fix: fix, Err: err}
}

// notice is something that keeps nothing from working.
func notice(name string, state State, detail, fix string) Finding {
	return Finding{Name: name, OK: true, State: state, Detail: detail, Fix: fix}
}

// Noticed is a finding that is worth a look.
func Noticed(name, detail, fix string) Finding { return notice(name, Look, detail, fix) }

// Unseen is a finding of what cannot be found out from here.
func Unseen(name, why string) Finding { return notice(name, Unknown, why, "") }
