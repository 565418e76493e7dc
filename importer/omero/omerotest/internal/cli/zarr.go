package cli

func (a *app) zarr() error { return nil }
