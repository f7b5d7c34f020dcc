package milter

import "time"

// rate counts the frames of one second. An MTA in a loop, or who poses as one,
// must not take the processor from the others.
type rate struct {
	begun  time.Time
	frames int
}

// throttle lets a connection wait that has sent more than its share. Its mail
// then takes longer, and nothing else happens to it.
func (c *conn) throttle() {
	c.rate.frames++
	if c.rate.frames < c.set.FrameRate && c.rate.frames%1024 != 0 {
		return // the clock is asked for now and then only
	}
	now := time.Now()
	passed := now.Sub(c.rate.begun)
	if passed < time.Second && c.rate.frames >= c.set.FrameRate {
		c.srv.stats.throttled.Add(1)
		c.set.Log.Warn("MTA sends too many frames, it has to wait", "mta", c.RemoteAddr().String(), "frame_rate", c.set.FrameRate)
		c.srv.wait(time.Second - passed)
		now = time.Now()
		passed = time.Second
	}
	if passed >= time.Second {
		c.rate = rate{begun: now}
	}
}
