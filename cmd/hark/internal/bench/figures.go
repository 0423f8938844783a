package bench

// A Figure is one result of one run.
type Figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit,omitzero"` // "" for a plain number
	Value float64 `json:"value"`
}

// Figures are in the order in which they are printed.
type Figures []Figure

func (f *Figures) add(name, unit string, value float64) { *f = append(*f, Figure{name, unit, value}) }

// Get returns the value of a figure, and false if there is none of this name.
func (f Figures) Get(name string) (float64, bool) {
	for _, one := range f {
		if one.Name == name {
			return one.Value, true
		}
	}
	return 0, false
}

// A Result is what one run found.
type Result struct {
	Figures Figures `json:"figures"`
	Tally   Tally   `json:"deliveries"`
}
