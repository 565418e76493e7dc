package server

// The numbers that the first row of each kind gets. Projects, Datasets and
// Screens have the same ones, and so do images and plates: who takes one kind
// for the other finds something, and that is wrong.
const (
	firstContainer  int64 = 51
	firstFileset    int64 = 4101
	firstImage      int64 = 5001
	firstAnnotation int64 = 901
	firstOther      int64 = 701
)

func (tx *Tx) putUser(u User) {
	tx.users.put(u)
	tx.change.Users = append(tx.change.Users, u)
}

func (tx *Tx) putGroup(g Group) {
	tx.groups.put(g)
	tx.change.Groups = append(tx.change.Groups, g)
}

func (tx *Tx) putMember(m Member) {
	m.ID = tx.members.next(firstOther)
	if old, ok := tx.member(m.User, m.Group); ok {
		m.ID = old.ID
	}
	tx.members.put(m)
	tx.change.Members = append(tx.change.Members, m)
}

func (tx *Tx) putContainer(c Container) Container {
	t := tx.containers(c.Type)
	if c.ID == 0 {
		c.ID = t.next(firstContainer)
	}
	t.put(c)
	tx.change.Containers = append(tx.change.Containers, c)
	return c
}

func (tx *Tx) putFileset(f Fileset) Fileset {
	f.ID = tx.filesets.next(firstFileset)
	tx.filesets.put(f)
	tx.change.Filesets = append(tx.change.Filesets, f)
	return f
}

func (tx *Tx) putImage(i Image) Image {
	if i.ID == 0 {
		i.ID = tx.images.next(firstImage)
	}
	tx.images.put(i)
	tx.change.Images = append(tx.change.Images, i)
	return i
}

func (tx *Tx) putPlate(p Plate) Plate {
	if p.ID == 0 {
		p.ID = tx.plates.next(firstImage)
	}
	tx.plates.put(p)
	tx.change.Plates = append(tx.change.Plates, p)
	return p
}

func (tx *Tx) putAnnotation(a Annotation) Annotation {
	if a.ID == 0 {
		a.ID = tx.annotations.next(firstAnnotation)
	}
	tx.annotations.put(a)
	tx.change.Annotations = append(tx.change.Annotations, a)
	return a
}

func (tx *Tx) putLink(l Link) Link {
	l.ID = tx.links.next(firstOther)
	tx.links.put(l)
	tx.linked[l.key()] = true
	tx.change.Links = append(tx.change.Links, l)
	return l
}

func (tx *Tx) putSession(s Session) Session {
	if s.ID == 0 {
		s.ID = tx.sessions.next(firstOther)
	}
	tx.sessions.put(s)
	tx.change.Sessions = append(tx.change.Sessions, s)
	return s
}

func (tx *Tx) putPlan(p Plan) {
	if p.ID == 0 {
		p.ID = tx.plans.next(1)
	}
	tx.plans.put(p)
	tx.change.Plans = append(tx.change.Plans, p)
}

// PutCall records a process; a call without a number gets one.
func (tx *Tx) PutCall(c Call) Call {
	if c.ID == 0 {
		c.ID = tx.calls.last + 1
	}
	tx.calls.put(c)
	tx.change.Calls = append(tx.change.Calls, c)
	return c
}

// PutRequest records a request; a request without a number gets one.
func (tx *Tx) PutRequest(r Request) Request {
	if r.ID == 0 {
		r.ID = tx.requests.last + 1
	}
	tx.requests.put(r)
	tx.change.Requests = append(tx.change.Requests, r)
	return r
}

// SetOptions replaces the options.
func (tx *Tx) SetOptions(o Options) {
	tx.options = o
	tx.change.Options = &o
}
