package bench

// A Report is all runs of one scenario. Every server has as many.
type Report struct {
	Servers []Server `json:"servers"`
}

// A Server is what the runs against one server found, in their order.
type Server struct {
	Command string   `json:"server"`
	Runs    []Result `json:"runs"`
}

// Tally returns that of all runs together.
func (s Server) Tally() Tally {
	var sum Tally
	for _, r := range s.Runs {
		sum.add(r.Tally)
	}
	return sum
}

// A Row is one figure over all runs.
type Row struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit,omitzero"`
	Servers []Spread `json:"servers"`
	// Ratios are those of the second server, and any further ones, to the first in the same pair; none for a single server.
	Ratios []Spread `json:"ratios,omitzero"`
}

// Rows returns the figures that all runs have.
func (r Report) Rows() []Row {
	if len(r.Servers) == 0 || len(r.Servers[0].Runs) == 0 {
		return nil
	}
	var rows []Row
	for _, f := range r.Servers[0].Runs[0].Figures {
		values := make([][]float64, len(r.Servers))
		complete := true
		for i, server := range r.Servers {
			values[i] = server.values(f.Name)
			complete = complete && len(values[i]) == len(r.Servers[0].Runs)
		}
		if complete {
			rows = append(rows, newRow(f, values))
		}
	}
	return rows
}

func (s Server) values(name string) []float64 {
	var values []float64
	for _, run := range s.Runs {
		if v, ok := run.Figures.Get(name); ok {
			values = append(values, v)
		}
	}
	return values
}

func newRow(f Figure, values [][]float64) Row {
	row := Row{Name: f.Name, Unit: f.Unit}
	for i, of := range values {
		row.Servers = append(row.Servers, spread(of))
		if i == 0 {
			continue
		}
		var ratios []float64
		for run, v := range of {
			if base := values[0][run]; base != 0 {
				ratios = append(ratios, v/base)
			}
		}
		if len(ratios) == len(of) {
			row.Ratios = append(row.Ratios, spread(ratios))
		}
	}
	if len(row.Ratios) != len(values)-1 {
		row.Ratios = nil // nothing can be divided by 0
	}
	return row
}
