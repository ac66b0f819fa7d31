// Widgets leave slider handles without a name for screen readers, and the notebook takes some keys
// for its own: an arrow on a dropdown would lead to the next cell.
(lab => {
  const name = () => {
    lab.querySelectorAll('.widget-slider').forEach(slider => {
      const words = slider.querySelector('label')?.textContent;
      slider.querySelector('.noUi-handle')?.setAttribute('aria-label', words);
      const readout = slider.querySelector('.widget-readout');
      readout?.setAttribute('role', 'textbox');
      readout?.setAttribute('aria-label', words + ', as a number');
    });
    lab.querySelectorAll('.noUi-handle, select, button, summary').forEach(control =>
      control.setAttribute('data-lm-suppress-shortcuts', 'true'));
    lab.querySelector('.ptc-status .widget-html-content')?.setAttribute('aria-live', 'polite');
  };
  name();
  let soon;
  new MutationObserver(() => { clearTimeout(soon); soon = setTimeout(name, 150); })
    .observe(lab, {childList: true, subtree: true});
})(this.closest('.ptc-lab'))
