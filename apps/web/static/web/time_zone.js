// Chooses the browser's own time zone where a person has not chosen one yet.
(() => {
  const select = document.querySelector('select[name="time_zone"]');
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (select && select.value === "UTC" && [...select.options].some((option) => option.value === zone)) {
    select.value = zone;
  }
})();
