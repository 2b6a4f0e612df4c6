package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/fault"
)

// Guess is what a heading was taken for.
type Guess struct {
	Column string `json:"column"`
	// As is what it is taken for: "id", "active", "starts", "ends", "timezone" or
	// an attribute of the profile. Empty: the column is not used.
	As string `json:"as,omitempty"`
}

// The parts of Reading that are no attributes, as guesses name them.
const (
	asID       = "id"
	asActive   = "active"
	asStarts   = "starts"
	asEnds     = "ends"
	asTimeZone = "timezone"
)

// headings are the usual names of columns, without case, blanks and punctuation.
var headings = map[string][]string{
	asID: {
		"externalid", "employeeid", "employeenumber", "employeeno", "empid", "empno", "personid", "personnelnumber", "personnelno",
		"workerid", "staffid", "staffnumber", "associateid", "studentid", "memberid", "userid", "uid", "guid", "id", "personalnummer",
	},
	asActive:   {"active", "isactive", "enabled", "isenabled", "status", "employmentstatus", "employeestatus", "workerstatus", "userstatus", "accountstatus"},
	asStarts:   {"startdate", "starts", "start", "hiredate", "datehired", "dateofhire", "joindate", "joiningdate", "dateofjoining", "firstday", "employmentstartdate", "eintrittsdatum"},
	asEnds:     {"enddate", "ends", "end", "terminationdate", "dateofleaving", "leavingdate", "leavedate", "exitdate", "lastday", "lastworkingday", "employmentenddate", "austrittsdatum"},
	asTimeZone: {"timezone", "tz", "timezonename"},

	"userName":          {"username", "login", "loginname", "userprincipalname", "upn"},
	"email":             {"email", "emailaddress", "mail", "workemail", "emailwork", "businessemail", "companyemail", "primaryemail", "workemailaddress", "emailaddresswork"},
	"firstName":         {"firstname", "givenname", "forename", "first", "fname", "vorname", "prenom", "nombre"},
	"lastName":          {"lastname", "surname", "familyname", "last", "lname", "nachname", "apellido", "apellidos", "nomdefamille"},
	"middleName":        {"middlename"},
	"honorificPrefix":   {"honorificprefix", "prefix", "salutation"},
	"honorificSuffix":   {"honorificsuffix", "suffix"},
	"displayName":       {"displayname"},
	"nickName":          {"nickname", "preferredname", "preferredfirstname", "knownas"},
	"secondEmail":       {"secondemail", "secondaryemail", "personalemail", "privateemail", "homeemail", "alternateemail", "otheremail"},
	"mobilePhone":       {"mobilephone", "mobile", "mobilenumber", "mobilephonenumber", "cell", "cellphone", "handy"},
	"primaryPhone":      {"primaryphone", "phone", "phonenumber", "telephone", "telephonenumber", "workphone", "officephone", "businessphone"},
	"title":             {"title", "jobtitle", "position", "positiontitle", "businesstitle"},
	"department":        {"department", "departmentname", "dept", "deptname", "abteilung"},
	"division":          {"division", "divisionname"},
	"organization":      {"organization", "organisation", "company", "companyname", "employer", "legalentity"},
	"costCenter":        {"costcenter", "costcentre", "costcentercode", "kostenstelle"},
	"manager":           {"manager", "managername", "supervisor", "supervisorname", "reportsto"},
	"managerId":         {"managerid", "manageremployeeid", "manageremail", "supervisorid", "supervisoremail", "managerexternalid"},
	"employeeNumber":    {"employeenumber", "employeeid", "employeeno", "empid", "empno", "personnelnumber", "personnelno", "staffnumber", "personalnummer"},
	"userType":          {"usertype", "employeetype", "workertype", "employmenttype"},
	"streetAddress":     {"streetaddress", "street", "address", "addressline1", "address1", "homeaddress"},
	"city":              {"city", "town", "locality", "workcity"},
	"state":             {"state", "province", "region", "stateprovince"},
	"zipCode":           {"zipcode", "zip", "postcode", "postalcode", "plz"},
	"countryCode":       {"countrycode", "country", "countryiso"},
	"preferredLanguage": {"preferredlanguage", "language"},
	"locale":            {"locale"},
	"profileUrl":        {"profileurl"},
}

// attributes are what SCIM (RFC 7643, as package extract names its columns) and LDAP
// (RFC 4519, RFC 4530, Active Directory) call the same. They count only where no usual
// heading is there, so that nothing becomes ambiguous by them.
var attributes = map[string][]string{
	asID:             {"objectguid", "entryuuid"},
	"email":          {"emails"},
	"firstName":      {"namegivenname"},
	"lastName":       {"namefamilyname", "sn"},
	"middleName":     {"namemiddlename"},
	"mobilePhone":    {"phonenumbersmobile"},
	"primaryPhone":   {"phonenumberswork"},
	"department":     {"enterprisedepartment"},
	"division":       {"enterprisedivision"},
	"organization":   {"enterpriseorganization"},
	"costCenter":     {"enterprisecostcenter"},
	"employeeNumber": {"enterpriseemployeenumber"},
	"streetAddress":  {"addressesworkstreetaddress"},
	"city":           {"addressesworklocality"},
	"state":          {"addressesworkregion"},
	"zipCode":        {"addressesworkpostalcode"},
	"countryCode":    {"addressesworkcountry"},
}

// fullNames are headings of names in one piece, which nobody can take apart safely.
var fullNames = []string{"name", "fullname", "employeename", "personname"}

// needed is what no import does without.
var needed = []string{asID, "email", "firstName", "lastName"}

// Complete fills what settings leave open by the headings of a source (the keys of
// its first rows), and says how. Headings that could mean two things, and a source
// without an id or names, are fault.Invalid with the choices. Settings that are
// Literal come back as they are. A nil schema is that of an org that changed nothing.
func (s Settings) Complete(columns []string, schema *directory.Shape) (Settings, []Guess, error) {
	if s.Literal {
		return s, nil, nil
	}
	g := guesser{settings: s, columns: slices.Sorted(slices.Values(columns)), used: map[string]string{}}
	g.settings.Profile = maps.Clone(s.Profile)
	if g.settings.Profile == nil {
		g.settings.Profile = map[string]Term{}
	}
	g.markUsed()
	for _, names := range []map[string][]string{headings, attributes} {
		for _, as := range slices.Sorted(maps.Keys(names)) {
			g.guess(as, names[as])
		}
	}
	if schema != nil {
		for _, a := range schema.Custom() {
			g.guess(a.Name, []string{bare(a.Name)})
		}
	}
	g.want()
	return g.settings, g.guesses(), fault.Join(g.problems...)
}

// guesser completes settings.
type guesser struct {
	settings Settings
	columns  []string
	used     map[string]string // column -> what it is taken for
	problems []error
}

// bare is a heading without case, accents, blanks and punctuation.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKD.String(s))
}

// place is where a Term of the settings is; false: it is an attribute.
func (g *guesser) place(as string) (*Term, bool) {
	s := &g.settings
	switch as {
	case asID:
		return &s.ID, true
	case asActive:
		return &s.Active.From, true
	case asStarts:
		return &s.Starts.From, true
	case asEnds:
		return &s.Ends.From, true
	case asTimeZone:
		return &s.Zone.From, true
	}
	return nil, false
}

func (g *guesser) get(as string) Term {
	if t, ok := g.place(as); ok {
		return *t
	}
	return g.settings.Profile[as]
}

func (g *guesser) set(as string, t Term) {
	if at, ok := g.place(as); ok {
		*at = t
	} else {
		g.settings.Profile[as] = t
	}
}

// markUsed notes the columns that the settings name.
func (g *guesser) markUsed() {
	all := append([]string{asID, asActive, asStarts, asEnds, asTimeZone}, slices.Collect(maps.Keys(g.settings.Profile))...)
	slices.Sort(all)
	for _, as := range all {
		t := g.get(as)
		if _, is := t.expression(); !is && !t.empty() {
			g.used[string(t)] = as
		}
	}
}

// guess finds the column for what the settings leave open. The column of ids may
// be that of an attribute, too; any other has one meaning.
func (g *guesser) guess(as string, names []string) {
	if g.get(as) != "" {
		return
	}
	var found []string
	for _, c := range g.columns {
		if by, used := g.used[c]; used && by != asID && as != asID {
			continue
		}
		if slices.Contains(names, bare(c)) {
			found = append(found, c)
		}
	}
	found = g.prefer(as, found)
	switch len(found) {
	case 0:
		return
	case 1:
		g.set(as, Term(found[0]))
		if _, used := g.used[found[0]]; !used || as == asID {
			g.used[found[0]] = as
		}
	default:
		g.problems = append(g.problems, fault.New(fault.Invalid, "%s may be any of the columns %s", as, quoted(found)).
			Fix("say which: %s", g.example(as, found[0])))
	}
}

// prefer keeps, of several columns, the one that says of itself that it is the
// external id, and for attributes those that are not the id already.
func (g *guesser) prefer(as string, found []string) []string {
	better := slices.DeleteFunc(slices.Clone(found), func(c string) bool {
		if as == asID {
			return bare(c) != "externalid"
		}
		return g.used[c] == asID
	})
	if len(better) > 0 {
		return better
	}
	return found
}

// example is how a choice is written.
func (g *guesser) example(as, column string) string {
	if _, ok := g.place(as); ok {
		return fmt.Sprintf("%s: %s", as, column)
	}
	return fmt.Sprintf("profile: {%s: %s}, or none", as, column)
}

// want refuses sources without what no import does without.
func (g *guesser) want() {
	for _, as := range needed {
		if g.get(as) != "" || slices.ContainsFunc(g.problems, func(err error) bool { return strings.HasPrefix(fault.Public(err), as+" ") }) {
			continue
		}
		if as == "email" && g.get("userName") != "" && g.settings.Mapping["email"].Value != "" {
			continue
		}
		g.problems = append(g.problems, g.missing(as))
	}
}

func (g *guesser) missing(as string) error {
	e := fault.New(fault.Invalid, "no column looks like %s; there are %s", as, quoted(g.columns))
	for _, c := range g.columns {
		if (as == "firstName" || as == "lastName") && slices.Contains(fullNames, bare(c)) {
			return e.Fix(`take it from the full name: profile: {%s: '= String.substring%s(row["%s"], " ")'}`, as, map[string]string{"firstName": "Before", "lastName": "After"}[as], c)
		}
	}
	if as == asID {
		return e.Fix("say which column never changes for a person: id: COLUMN")
	}
	return e.Fix("say which it is: profile: {%s: COLUMN}", as)
}

// quoted lists columns.
func quoted(columns []string) string {
	const most = 40
	var out []string
	for _, c := range columns[:min(len(columns), most)] {
		out = append(out, fmt.Sprintf("%q", shorten(c)))
	}
	if len(columns) > most {
		out = append(out, "…")
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// guesses says what each column is taken for.
func (g *guesser) guesses() []Guess {
	out := make([]Guess, 0, len(g.columns))
	for _, c := range g.columns {
		out = append(out, Guess{Column: c, As: g.used[c]})
	}
	return out
}
