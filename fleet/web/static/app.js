// Pages without reloads: links and forms of ours are fetched and the page's content is put in place.
// Without this script every page and form works all the same.
const main = () => document.getElementById("main");
