// What html, htmx and uPlot do not do by themselves.
(() => {
  'use strict'

  // Times as the reader's clock shows them.
  const localise = root => {
    for (const t of root.querySelectorAll('time[datetime]')) {
      const at = new Date(t.dateTime)
      if (!isNaN(at)) {
        t.title = t.dateTime
        t.textContent = at.toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium' })
      }
    }
  }
  document.addEventListener('htmx:load', e => localise(e.detail.elt))

  // A new order is put on top once, whether the list or an event brought it first, and the
  // list stays as long as a page of it.
  const longest = 100
  document.addEventListener('htmx:sseBeforeMessage', e => {
    if (e.target.id !== 'list') return
    const id = /id="(o-[0-9a-f]{16})"/.exec(e.detail.data)
    if (!id || document.getElementById(id[1])) e.preventDefault()
  })
  document.addEventListener('htmx:sseMessage', e => {
    if (e.target.id !== 'list') return
    while (e.target.children.length > longest) e.target.lastElementChild.remove()
  })

  // A browser has few connections to one service: what nobody looks at gives its own back,
  // and is read again when somebody does.
  const unseenFor = 10000
  let source, unseen, closed = false
  const connect = htmx.createEventSource
  htmx.createEventSource = url => (source = connect(url))
  document.addEventListener('visibilitychange', () => {
    clearTimeout(unseen)
    if (document.hidden && source) {
      unseen = setTimeout(() => {
        closed = true
        source.close()
      }, unseenFor)
    } else if (closed) {
      location.reload()
    }
  })

  // What asks before it acts.
  document.addEventListener('click', e => {
    const opener = e.target.closest('[data-dialog]')
    if (opener) document.getElementById(opener.dataset.dialog).showModal()
  })

  // Charts.
  const ended = document.getElementById('chart-ended')
  if (!ended) return
  const waits = document.getElementById('chart-wait')
  const dark = matchMedia('(prefers-color-scheme: dark)')
  let points, drawn = []

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim()
  const seconds = n => n === null || n === undefined ? '–' : n < 120 ? +n.toPrecision(2) + ' s' : n < 7200 ? Math.round(n / 60) + ' min' : Math.round(n / 3600) + ' h'

  const draw = () => {
    drawn.forEach(chart => chart.destroy())
    const axis = { stroke: colour('front'), grid: { stroke: colour('line') }, ticks: { stroke: colour('line') } }
    const bars = { paths: uPlot.paths.bars({ size: [0.9, 40], align: 1 }), points: { show: false } }
    const options = (place, series, values) => ({
      width: place.clientWidth, height: 220, series: [{}, ...series], cursor: { drag: { x: false } },
      axes: [axis, { ...axis, size: 64, values }], scales: { x: { range: (u, from, to) => [from, to + 3600] }, y: { range: (u, low, high) => [0, Math.max(high, 1) * 1.1] } },
    })
    const all = points.completed.map((n, i) => n + points.failed[i])
    drawn = [
      new uPlot(options(ended, [
        { label: 'Ended', stroke: colour('completed'), fill: colour('completed'), ...bars },
        { label: 'Failed', stroke: colour('failed'), fill: colour('failed'), ...bars },
      ]), [points.hours, all, points.failed], ended),
      new uPlot(options(waits, [
        { label: '95% waited at most', stroke: colour('failed'), width: 2, value: (u, n) => seconds(n) },
        { label: 'Half waited at most', stroke: colour('working'), width: 2, value: (u, n) => seconds(n) },
      ], (u, list) => list.map(seconds)), [points.hours, points.slow_wait, points.wait], waits),
    ]
    const body = document.querySelector('#hours tbody')
    body.replaceChildren(...points.hours.map((hour, i) => {
      const row = document.createElement('tr')
      const cells = [new Date(hour * 1000).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' }), points.completed[i], points.failed[i],
        seconds(points.wait[i]), seconds(points.slow_wait[i]), seconds(points.run[i])]
      for (const cell of cells) row.insertCell().textContent = cell
      return row
    }).reverse())
    document.body.dataset.charts = points.hours.length
  }

  const load = async () => {
    const chosen = document.querySelector('input[name=for]:checked').value
    const answer = await fetch('/service/hours?for=' + chosen)
    if (!answer.ok) return
    points = await answer.json()
    draw()
  }
  document.addEventListener('DOMContentLoaded', load)
  for (const choice of document.querySelectorAll('input[name=for]')) choice.addEventListener('change', load)
  setInterval(load, 60000)
  dark.addEventListener('change', () => points && draw())
  addEventListener('resize', () => points && draw())
})()
